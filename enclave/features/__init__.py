"""From records to coded features: one module a category, named by its code, each a set of Ibis expressions.

Three rules hold in every module. Nothing is imputed: a window without a row of the enterprise is missing, unless the
table holds only hits and its holder attests coverage. A ratio whose base is zero is *not applicable*: the data are
there, and the figure has no meaning for this enterprise. Rows dated after `as_of`, or in months not settled yet,
influence nothing.
"""
