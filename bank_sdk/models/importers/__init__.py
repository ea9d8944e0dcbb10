"""Taking over models that banks already have: read from files and live objects, planned, converted.

No reader imports the library that made the model, unpickles, starts a virtual machine or touches the network.
"""
