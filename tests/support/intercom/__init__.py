"""What lies between the daemon and Intercom: proxies and broken endpoints. Intercom itself is the sandbox."""
