"""Publishers and generated stubs for intercomd."""
