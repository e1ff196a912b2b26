"""Who may call when: ready lanes, reading ahead, pacing, outages, access, and committing results."""
