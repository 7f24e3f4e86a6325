"""The audio expert: how likely is the speech in a media file synthetic, cloned or converted?"""
