"""People are told: notices become messages, messages become attempts, and what is heard back moves them on."""
