/* Only what the example uses of ESP-IDF 5, so that it can be compiled where ESP-IDF is not installed; nothing runs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef int esp_err_t;
#define ESP_OK 0
#define ESP_ERROR_CHECK(call) do { if ((call) != ESP_OK) { for (;;) { } } } while (0)
