"""One door per byte format of others: bounded, checked, and every failure one line of ours.

A door takes a :class:`~ociwheel.formats.guard.Guard` (whose file it is, which error tells of it, which limits
hold) and gives entries and content. :mod:`~ociwheel.formats.folder` is the one place that writes what comes
out of an archive; :mod:`~ociwheel.formats.filetree` is the one walk along links.
"""
