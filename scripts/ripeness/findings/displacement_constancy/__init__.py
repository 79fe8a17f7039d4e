"""Does tuning move the weights equally far at every checkpoint?"""
