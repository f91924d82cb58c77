"""Payment providers: one file each, pure; the bytes of a provider are believed or refused here."""
