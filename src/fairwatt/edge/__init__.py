"""The agent at the meters: poll, obey, spool, guard."""
