/**
 * A form over some fields: labels, the API's violations at the field they are about, and,
 * while it is open, what others change: a field that was not touched follows, one that was
 * touched says what it is now elsewhere and offers to take that.
 */
import { Problem } from './api.js';
import { element } from './dom.js';
import { flash } from './motion.js';

export class Form {
  #fields;
  #inputs = new Map();
  #original;
  #error = element('p', { className: 'form-error', hidden: true });

  /** `save(values)` gets what has changed (or, without an `original`, everything). */
  constructor({ fields, original = null, submit, save, cancel }) {
    this.#fields = fields;
    this.#original = original;
    this.#error.setAttribute('role', 'alert');
    const button = element('button', { className: 'button primary', type: 'submit', textContent: submit });
    const actions = element('div', { className: 'actions' }, button);
    if (cancel) actions.append(this.#cancelButton(cancel));
    this.element = element('form', { noValidate: true }, ...fields.map((field) => this.#row(field)), this.#error, actions);
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit(button, save);
    });
  }

  focus() {
    this.#inputs.get(this.#fields[0].name).focus();
  }

  reset() {
    this.element.reset();
    this.#clear();
  }

  /** The item has changed elsewhere. */
  follow(item) {
    for (const field of this.#fields) {
      const [old, now] = [shown(field, this.#original[field.name]), shown(field, item[field.name])];
      if (old === now) continue;
      const input = this.#inputs.get(field.name);
      if (input.value === old || input.value === now) this.#take(field, now);
      else this.#offer(field, now);
    }
    this.#original = item;
  }

  #take(field, value) {
    const input = this.#inputs.get(field.name);
    input.value = value;
    this.#note(field.name).replaceChildren();
    flash(input, 'value');
  }

  #offer(field, value) {
    const take = element('button', { type: 'button', className: 'link', textContent: 'Take that' });
    take.addEventListener('click', () => {
      this.#take(field, value);
      this.#inputs.get(field.name).focus();
    });
    this.#note(field.name).replaceChildren('Just changed elsewhere to ', element('q', { textContent: value }), ' ', take);
  }

  #row(field) {
    const id = `field-${(serial += 1)}`;
    const input = field.type === 'rating' ? ratingInput(id, field) : this.#input(id, field);
    this.#inputs.set(field.name, input);
    const label = element('label', { htmlFor: id, textContent: field.label });
    if (field.type === 'rating') label.id = `${id}-label`;
    if (!field.required) label.append(element('span', { className: 'optional', textContent: ' optional' }));
    const note = element('p', { className: 'field-note', id: `${id}-note` });
    note.setAttribute('role', 'status');
    const error = element('p', { className: 'field-error', id: `${id}-error` });
    (input.control ?? input).setAttribute('aria-describedby', `${error.id} ${note.id}`);
    const row = element('div', { className: `field${field.half ? ' half' : ''}` }, label, input.control ?? input, error, note);
    row.dataset.name = field.name;
    return row;
  }

  #input(id, field) {
    const name = field.type === 'textarea' ? 'textarea' : 'input';
    const input = element(name, { id, name: field.name, value: shown(field, this.#original?.[field.name]), autocomplete: field.autocomplete ?? 'off' });
    if (name === 'textarea') input.rows = 3;
    else input.type = field.type ?? 'text';
    if (field.inputMode) input.inputMode = field.inputMode;
    if (field.placeholder) input.placeholder = field.placeholder;
    if (field.required) input.setAttribute('aria-required', 'true');
    return input;
  }

  #cancelButton(cancel) {
    const button = element('button', { className: 'button', type: 'button', textContent: 'Cancel' });
    button.addEventListener('click', cancel);
    return button;
  }

  async #submit(button, save) {
    if (button.ariaDisabled === 'true') return;
    this.#clear();
    const values = this.#values();
    if (values === null) return;
    button.ariaDisabled = 'true';
    try {
      await save(values);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#complain(error);
    } finally {
      button.ariaDisabled = 'false';
    }
  }

  /** What is to be sent, or null if a field cannot be read. */
  #values() {
    const values = {};
    for (const field of this.#fields) {
      const text = this.#inputs.get(field.name).value;
      if (this.#original && text === shown(field, this.#original[field.name])) continue;
      try {
        values[field.name] = field.read ? field.read(text) : text.trim() || (field.required ? '' : null);
      } catch (error) {
        this.#refuse(field.name, error.message);
        return null;
      }
    }
    return values;
  }

  #complain(problem) {
    const known = problem.violations.filter(({ propertyPath }) => this.#inputs.has(propertyPath));
    for (const { propertyPath, message } of known) this.#refuse(propertyPath, message);
    if (known.length > 0 && known.length === problem.violations.length) return;
    this.#error.textContent = problem.message;
    this.#error.hidden = false;
  }

  /** Shows why at the field, and takes the user to the first one. */
  #refuse(name, message) {
    const input = this.#inputs.get(name);
    const first = this.element.querySelector('[aria-invalid="true"]') === null;
    (input.control ?? input).setAttribute('aria-invalid', 'true');
    this.#place(name, '.field-error').textContent = message;
    if (first) input.focus();
  }

  #clear() {
    this.#error.hidden = true;
    for (const invalid of this.element.querySelectorAll('[aria-invalid]')) invalid.removeAttribute('aria-invalid');
    for (const text of this.element.querySelectorAll('.field-error, .field-note')) text.replaceChildren();
  }

  #note(name) {
    return this.#place(name, '.field-note');
  }

  #place(name, selector) {
    return this.element.querySelector(`[data-name="${name}"] ${selector}`);
  }
}

/** One to five stars as radio buttons that look like stars; behaves like an input. */
function ratingInput(id, field) {
  const radios = [1, 2, 3, 4, 5].map((value) =>
    element('input', { type: 'radio', name: field.name, value: String(value), id: value === 1 ? id : `${id}-${value}`, ariaLabel: value === 1 ? '1 star' : `${value} stars` }));
  const control = element('div', { className: 'stars' }, ...radios);
  control.setAttribute('role', 'radiogroup');
  control.setAttribute('aria-labelledby', `${id}-label`);
  return {
    control,
    get value() {
      return radios.find(({ checked }) => checked)?.value ?? '';
    },
    focus: () => radios[0].focus(),
  };
}

function shown(field, value) {
  return field.show ? field.show(value) : (value ?? '');
}

let serial = 0;
