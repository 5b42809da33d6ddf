module kprod

go 1.24
