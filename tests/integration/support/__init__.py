"""What other tests stand on: the receiver and the processes of tests/support."""
