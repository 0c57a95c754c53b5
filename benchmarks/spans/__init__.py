"""What keeping spans costs a program without a service: time, instructions, memory."""
