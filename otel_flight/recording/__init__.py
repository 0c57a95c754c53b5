"""What happens in the process, encoded to bytes and kept in a bounded ring."""
