"""PostgreSQL through Django: the one Django app of Fairwatt."""
