"""Interval files of other people become rows, whoever wrote them; nothing is believed or mended here."""
