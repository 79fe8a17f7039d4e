"""Which tasks does the model learn before it is tuned?"""
