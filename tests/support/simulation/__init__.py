"""A worker's days in virtual time: senders, Intercom's faults, crashes, all drawn from one seed."""
