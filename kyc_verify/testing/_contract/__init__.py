"""The parts of `StoreContract`, one kind of promise a file."""
