"""What only an installed wheel shows; `make test-wheel` installs one."""
