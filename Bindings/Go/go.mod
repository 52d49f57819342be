module novm

go 1.19
