"""M-Pesa by Safaricom's Daraja: the payer's telephone asks for the PIN (STK push)."""

from fairwatt.payments.mpesa.provider import MPesa

__all__ = ["MPesa"]
