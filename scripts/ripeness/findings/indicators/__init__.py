"""What of an untouched checkpoint would have told its score after tuning?"""
