"""What is private to CPython, asyncio and the SDK, read in one place."""
