"""Reference numbers: what the models reach, measured anew by one command.

    course results                 the quick tier, on the bundled digits (minutes)
    course results --full          the full tier, on MNIST (hours, can be stopped and goes on)
    course results --row NAME      one row

`rows` says what a row is, `workshop` keeps finished parts so that a stopped run goes on, `table`
writes what was found. The rows themselves stand in `digits_rows`, `classification`, `likelihoods`,
`generation` and `autoencoders`.
"""
