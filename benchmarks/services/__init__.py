"""What keeping spans costs a real service, beside the bare SDK and beside other tracers."""
