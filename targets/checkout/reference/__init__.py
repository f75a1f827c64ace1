"""The checkout built right: every step may be interrupted, repeated or overtaken, and money still adds up."""
