-- migrate:up
INSERT INTO clients (id, name, email, created_at) VALUES
    ('c0000000-0000-4000-8000-000000000001', 'Ana Souza', 'ana.souza@example.com', '2026-11-01 09:00:00'),
    ('c0000000-0000-4000-8000-000000000002', 'Bruno Lima', 'bruno.lima@example.com', '2026-11-01 09:00:00'),
    ('c0000000-0000-4000-8000-000000000003', 'Carla Dias', 'carla.dias@example.com', '2026-11-01 09:00:00'),
    ('c0000000-0000-4000-8000-000000000004', 'Diego Alves', 'diego.alves@example.com', '2026-11-01 09:00:00'),
    ('c0000000-0000-4000-8000-000000000005', 'Elisa Rocha', 'elisa.rocha@example.com', '2026-11-01 09:00:00'),
    ('c0000000-0000-4000-8000-000000000006', 'Fabio Nunes', 'fabio.nunes@example.com', '2026-11-01 09:00:00'),
    ('c0000000-0000-4000-8000-000000000007', 'Gabriela Melo', 'gabriela.melo@example.com', '2026-11-01 09:00:00'),
    ('c0000000-0000-4000-8000-000000000008', 'Hugo Prado', 'hugo.prado@example.com', '2026-11-01 09:00:00'),
    ('c0000000-0000-4000-8000-000000000009', 'Irene Castro', 'irene.castro@example.com', '2026-11-01 09:00:00'),
    ('c0000000-0000-4000-8000-000000000010', 'Joao Pires', 'joao.pires@example.com', '2026-11-01 09:00:00')
ON DUPLICATE KEY UPDATE id = clients.id;

-- migrate:down
DELETE FROM clients WHERE id LIKE 'c0000000-0000-4000-8000-%'
    AND NOT EXISTS (SELECT 1 FROM accounts WHERE accounts.client_id = clients.id);
