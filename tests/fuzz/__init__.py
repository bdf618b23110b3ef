"""Fuzzing: one function of bytes a target, driven by pytest, by hypothesis and by atheris.

A target's ``one_input`` returns when the bytes did what they may do, and raises when they did not. Seeds
are in ``corpus/<target>``; what ever failed is in ``crashes/<target>`` and is replayed for good.
"""
