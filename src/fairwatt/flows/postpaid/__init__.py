"""Moving from postpaid: both kinds of homes side by side, registers read by people, waves of homes that change."""
