"""Take secrets out of what is recorded, before it is written anywhere."""
