module examples

go 1.19

require novm v0.0.0

replace novm => ../../Bindings/Go
