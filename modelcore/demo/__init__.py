"""First programs: small functions to train on, a benchmark of held-out ones, and a random start model.

The functions are chains of one to three steps ("add 7 to each number, then keep the numbers above 12, then
sum the numbers"). `write.write_first_programs` is the entry.
"""
