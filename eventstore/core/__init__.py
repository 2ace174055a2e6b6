"""Pure rules of an event log: ids, envelopes, expectations, codecs, upcasting, the hash chain.

Nothing here knows of conversations, databases, clocks or event loops.
"""
