"""Whether `listen` goes on: told to a service manager, and to whoever looks after a container."""
