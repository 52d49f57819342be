#pragma once
#include <lzo/lzo1x.h>
