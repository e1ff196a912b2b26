"""Decides which daemon of a fleet delivers a workspace; pure, so that the tests explore it exhaustively."""
