"""The video expert: how likely are the faces of a video manipulated, and when?"""
