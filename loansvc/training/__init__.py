"""Training: the analysts' workshop. From loan histories to editions; serving never imports it.

divisions    the village-level units of the county, with their statistics codes
county       the synthetic county: every effect, rate and size, with its reason
synthetic    applicants of that county: what an analyst would get, and the truth apart
records      the application, as a bank would send it, behind a row of that frame
cells        the steps in which a characteristic may move, at edges an officer would say
additive     the trained model, and its exact tables
compact      from exact tables to a few bins of whole points
validation   discrimination and calibration figures
card         the scorecard document with its golden cases
report       the model card, for people
train        all of it in one call
villages     the village register, fitted after the card
"""
