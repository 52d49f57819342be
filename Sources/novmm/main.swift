print("novmm")
