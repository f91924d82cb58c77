"""What a home will use and pay in the days to come, as a range: days left, and what to pay to reach a day."""
