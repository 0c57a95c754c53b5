"""An incident file turned into something a person looks at."""
