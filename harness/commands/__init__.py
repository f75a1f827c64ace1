"""One command of `paychaos` per file: its words, its help, and what it does. No command knows another.

What belongs here: options, and the order in which the parts are called. What does not: anything worth a test
of its own that is not about the command line.
"""
