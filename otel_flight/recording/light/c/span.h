/* A light span: what it keeps, and its context and times. */

#ifndef OTEL_FLIGHT_SPAN_H
#define OTEL_FLIGHT_SPAN_H

#include <Python.h>

#include "known.h"

/* A time in nanoseconds; `object` is what was given if that is no ordinary number. */
typedef struct {
    int64_t ns; /* negative: none yet */
    PyObject *object;
} Time;

/* Fields that read as None, or as not there, while they are NULL. */
#define SPAN_PARTS(X)                                                                              \
    X(shape) X(name) X(kind) X(resource) X(scope) X(parent) X(status)                              \
    X(context) /* NULL until somebody asks for it; made of those that follow */                    \
    X(trace_id) X(span_id) X(flags) X(state)                                                       \
    X(own) /* the attributes as a dict; NULL while there are none */

typedef struct {
    PyObject_HEAD
    SPAN_PARTS(DECLARE)
    Time start, end;
    char is_open;
    char is_odd; /* its attributes are in a container of the SDK's, and not in `own` */
    char is_plain; /* its context is as the SDK makes it: valid, not remote, of whole numbers */
    char records, sets_status;
} LightSpan;

enum { CONTEXT_IS_VALID = CONTEXT_STATE + 1, CONTEXT_FIELDS };

static inline int
is_light(PyObject *object)
{
    return object != NULL && (PyObject *)Py_TYPE(object) == known.span_type;
}

/* Returns a context of the span's fields. Not by the SDK's constructor, which checks them. */
static PyObject *
new_context(LightSpan *self, PyObject *is_valid)
{
    PyObject *trace_id = Py_NewRef(self->trace_id), *span_id = Py_NewRef(self->span_id);
    PyObject *flags = Py_NewRef(self->flags), *state = Py_NewRef(self->state);
    PyObject *fields =
        PyTuple_Pack(CONTEXT_FIELDS, trace_id, span_id, Py_False, flags, state, is_valid);
    PyObject *given = fields == NULL ? NULL : PyTuple_Pack(1, fields);
    Py_DECREF(trace_id);
    Py_DECREF(span_id);
    Py_DECREF(flags);
    Py_DECREF(state);
    PyObject *made = given == NULL
        ? NULL
        : PyTuple_Type.tp_new((PyTypeObject *)known.span_context_type, given, NULL);
    Py_XDECREF(fields);
    Py_XDECREF(given);
    return made;
}

/* Returns the context, which is made for the first one who asks. */
static PyObject *
context_of(LightSpan *self)
{
    if (self->context == NULL) {
        PyObject *made = new_context(self, Py_True);
        if (made == NULL) {
            return NULL;
        }
        if (self->context == NULL) {
            self->context = made;
        } else {
            Py_DECREF(made);
        }
    }
    return Py_NewRef(self->context);
}

/* Gives a span the context that somebody else made. */
static void
take_context(LightSpan *self, PyObject *context)
{
    self->is_plain = 0;
    Py_XSETREF(self->context, Py_NewRef(context));
    if (!PyTuple_Check(context) || PyTuple_GET_SIZE(context) != CONTEXT_FIELDS) {
        return;
    }
    PyObject *trace_id = PyTuple_GET_ITEM(context, CONTEXT_TRACE_ID);
    PyObject *span_id = PyTuple_GET_ITEM(context, CONTEXT_SPAN_ID);
    PyObject *flags = PyTuple_GET_ITEM(context, CONTEXT_FLAGS);
    Py_XSETREF(self->trace_id, Py_NewRef(trace_id));
    Py_XSETREF(self->span_id, Py_NewRef(span_id));
    Py_XSETREF(self->flags, Py_NewRef(flags));
    Py_XSETREF(self->state, Py_NewRef(PyTuple_GET_ITEM(context, CONTEXT_STATE)));
    self->is_plain = (PyObject *)Py_TYPE(context) == known.span_context_type
        && PyTuple_GET_ITEM(context, CONTEXT_IS_REMOTE) == Py_False
        && PyTuple_GET_ITEM(context, CONTEXT_IS_VALID) == Py_True && PyLong_CheckExact(trace_id)
        && PyLong_CheckExact(span_id) && PyLong_Check(flags);
}

/* ---- time ----------------------------------------------------------------------------------- */

static void
take_time(Time *time, PyObject *given)
{
    int64_t ns = -1;
    if (PyLong_CheckExact(given)) {
        int overflow = 0;
        ns = PyLong_AsLongLongAndOverflow(given, &overflow);
        ns = overflow != 0 ? -1 : ns;
    }
    time->ns = ns;
    Py_XSETREF(time->object, given == Py_None || ns >= 0 ? NULL : Py_NewRef(given));
}

static PyObject *
time_object(const Time *time)
{
    if (time->object != NULL) {
        return Py_NewRef(time->object);
    }
    return time->ns < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(time->ns);
}

/* Asks the SDK's clock, wherever it was put. */
static int
read_clock(Time *time)
{
    PyObject *clock = found_in(known.sdk_namespace, names.time_ns);
    PyObject *given = clock == NULL ? NULL : PyObject_CallNoArgs(clock);
    Py_XDECREF(clock);
    if (given == NULL) {
        return -1;
    }
    take_time(time, given);
    Py_DECREF(given);
    return 0;
}

static inline int
has_ended(LightSpan *self)
{
    return self->end.ns >= 0 || self->end.object != NULL;
}

#endif
