"""Programs that these tests run as processes of their own."""
