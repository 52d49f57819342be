print("novm")
