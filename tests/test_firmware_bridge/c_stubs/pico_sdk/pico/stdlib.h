/* Only what the example uses of the Pico SDK 2, so that it can be compiled where the SDK is not installed; nothing runs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef unsigned int uint;
void gpio_init(uint pin);
void gpio_set_dir(uint pin, bool out);
void gpio_put(uint pin, bool value);
uint32_t time_us_32(void);
