"""The commands of `aspa`, one module per noun.

A module imports at its top only what `aspa --help` can afford (half a second in all); what a command needs is imported
when it runs.
"""
