"""The price elements a tariff version is made of, one file each."""
