"""Configure the project: settings, addresses, servers and logs."""
