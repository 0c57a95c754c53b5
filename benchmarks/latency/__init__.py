"""How good learned limits are: on series that are made, recorded here, recorded by others."""
