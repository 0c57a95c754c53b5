/* What looks in bytes for what tells of a secret; telltales.py and its neighbours are the description
 * of it. It may suspect more than they do, and never less. It runs no Python code. */

#ifndef OTEL_FLIGHT_TELLTALES_H
#define OTEL_FLIGHT_TELLTALES_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

/* A gram is three bytes, without the bit that tells small letters from capitals. */
enum { GRAM = 3, GRAMS = 4096, CACHED = 256, FEWEST_CARD_DIGITS = 14, MOST_CARD_DIGITS = 19 };
enum { LETTERS_OF_A_MODEL_KEY = 16, LONGEST_CACHED = 128 };
#define TELLTALES_NAME "otel_flight.redaction._telltales.Telltales"

typedef struct {
    const unsigned char *letters; /* of a bytes object that `words` has */
    Py_ssize_t length;
    uint16_t next; /* the next one that begins with such a gram, counted from 1 */
} Word;

typedef struct {
    PyObject_HEAD
    PyObject *words;         /* a tuple of bytes in lower case */
    PyObject *decided_names; /* names by whether they are those of secrets */
    PyObject *known_texts;   /* texts that were looked at, and are harmless */
    Word *table;
    Py_ssize_t count;
    uint16_t first[GRAMS]; /* the first word that begins so, counted from 1; 0: there is none */
    PyObject *harmless_names[CACHED]; /* by their addresses, which no others get meanwhile */
    PyObject *harmless_texts[CACHED];
} Telltales;

/* A fourth byte is read as well: behind strings and bytes there is always one. */
static inline unsigned
gram_at(const unsigned char *at)
{
    uint32_t letters;
    memcpy(&letters, at, sizeof letters);
    letters = PY_BIG_ENDIAN ? letters >> 8 : letters & 0xffffff;
    return (letters | 0x202020) * 0x9e3779b1u >> 20;
}

static inline int
is_digit(unsigned char letter)
{
    return letter >= '0' && letter <= '9';
}

static inline int
is_of_number(unsigned char letter)
{
    return is_digit(letter) || letter == ' ' || letter == '-';
}

/* Whether the last digit is the one that Luhn's formula makes of the others. */
static int
has_check_digit(const unsigned char *digits, Py_ssize_t count)
{
    unsigned sum = 0;
    for (Py_ssize_t from_end = 0; from_end < count; from_end++) {
        unsigned digit = (unsigned)(digits[count - 1 - from_end] - '0') << (from_end & 1);
        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 == 0;
}

/* Whether what is around a place may be the number of a card. */
static int
is_in_card(const unsigned char *data, Py_ssize_t size, Py_ssize_t place)
{
    Py_ssize_t start = place, end = place, digits = 0;
    while (start > 0 && is_of_number(data[start - 1])) {
        start--;
    }
    while (end < size && is_of_number(data[end])) {
        end++;
    }
    while (start < end && !is_digit(data[start])) {
        start++;
    }
    while (start < end && !is_digit(data[end - 1])) {
        end--;
    }
    for (Py_ssize_t index = start; index < end; index++) {
        digits += is_digit(data[index]);
    }
    if (digits < FEWEST_CARD_DIGITS) {
        return 0;
    }
    if (digits < end - start) {
        return 1; /* in groups, or with other numbers beside it */
    }
    return digits <= MOST_CARD_DIGITS && data[start] >= '2' && data[start] <= '6'
        && has_check_digit(data + start, digits);
}

/* Looks at each seventh byte: two in a row are of any number with as many digits as a card has. */
static int
has_card(const unsigned char *data, Py_ssize_t size)
{
    enum { STEP = FEWEST_CARD_DIGITS / 2 };
    int before = 0;
    for (Py_ssize_t index = STEP - 1; index < size; index += STEP) {
        int is_one = is_of_number(data[index]);
        if (is_one && before && is_in_card(data, size, index)) {
            return 1;
        }
        before = is_one;
    }
    return 0;
}

/* Whether the first part of a URL, whose `://` is at a place, has an `@`, or more than a port. */
static int
has_user(const unsigned char *data, Py_ssize_t size, Py_ssize_t place)
{
    int is_behind_colon = 0;
    for (Py_ssize_t index = place + GRAM; index < size; index++) {
        unsigned char letter = data[index];
        if (letter <= ' ' || strchr("/?#\"'<>", letter) != NULL) {
            break;
        }
        if (letter == '@' || (is_behind_colon && !is_digit(letter))) {
            return 1;
        }
        is_behind_colon = is_behind_colon || letter == ':';
    }
    return 0;
}

static int
is_model_key(const unsigned char *data, Py_ssize_t size, Py_ssize_t place)
{
    Py_ssize_t end = place + GRAM + LETTERS_OF_A_MODEL_KEY;
    for (Py_ssize_t index = place + GRAM; index < end; index++) {
        if (index >= size
            || !(is_digit(data[index]) || (data[index] | 0x20) - 'a' <= 'z' - 'a'
                 || data[index] == '_' || data[index] == '-')) {
            return 0;
        }
    }
    return 1;
}

/* Whether one of the words that begin with the gram at a place stands there. */
static int
is_word_at(const Telltales *self, const unsigned char *data, Py_ssize_t size, Py_ssize_t place,
           unsigned number)
{
    for (; number != 0; number = self->table[number - 1].next) {
        const Word *word = &self->table[number - 1];
        Py_ssize_t index = 0;
        if (word->length > size - place) {
            continue;
        }
        while (index < word->length && (data[place + index] | 0x20) == (word->letters[index] | 0x20)) {
            index++;
        }
        if (index < word->length) {
            continue;
        }
        if (memcmp(word->letters, "://", GRAM + 1) == 0) {
            if (has_user(data, size, place)) {
                return 1;
            }
        } else if (memcmp(word->letters, "sk-", GRAM + 1) == 0) {
            if (is_model_key(data, size, place)) {
                return 1;
            }
        } else {
            return 1;
        }
    }
    return 0;
}

static int
has_word(const Telltales *self, const unsigned char *data, Py_ssize_t size)
{
    for (Py_ssize_t place = 0; place + GRAM <= size; place++) {
        unsigned number = self->first[gram_at(data + place)];
        if (number != 0 && is_word_at(self, data, size, place, number)) {
            return 1;
        }
    }
    return 0;
}

/* Whether there may be a secret in some bytes, as far as they tell. */
static inline int
tell(const Telltales *self, const unsigned char *data, Py_ssize_t size)
{
    return has_word(self, data, size) || (size >= FEWEST_CARD_DIGITS && has_card(data, size));
}

static inline PyObject **
cached_at(PyObject **cache, PyObject *text)
{
    return &cache[(uintptr_t)text / sizeof(void *) / 2 % CACHED];
}

/* Whether there may be a secret in a string, which is a name or not. `data` is its UTF-8. Those that
 * are found harmless are known by their addresses, and kept for it, in the places of others. */
static inline int
is_suspected(Telltales *self, PyObject *text, const char *data, Py_ssize_t size, int is_name)
{
    const unsigned char *letters = (const unsigned char *)data;
    if (is_name ? has_word(self, letters, size) : tell(self, letters, size)) {
        PyObject *known = is_name ? self->decided_names : self->known_texts;
        PyObject *found = PyDict_GetItemWithError(known, text);
        if (found == NULL || found == Py_True) {
            return 1;
        }
    }
    if (size <= LONGEST_CACHED) {
        PyObject **cached = cached_at(is_name ? self->harmless_names : self->harmless_texts, text);
        Py_XSETREF(*cached, Py_NewRef(text));
    }
    return 0;
}

static inline int
is_known_harmless(Telltales *self, PyObject *text, int is_name)
{
    return *cached_at(is_name ? self->harmless_names : self->harmless_texts, text) == text;
}

#endif
